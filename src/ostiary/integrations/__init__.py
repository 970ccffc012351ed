"""What a host application imports. Each module wires the same engine into one framework; none has rules of its own."""

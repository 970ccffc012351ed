"""The behaviour matrix: one table of rows, run over real HTTP against every framework that ostiary stands beside."""

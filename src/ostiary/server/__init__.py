"""The stand-alone process: the engine's app with health probes, served by uvicorn."""

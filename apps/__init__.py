"""The deployables: settings, wiring, command line. The only room that reads the clock and the environment."""

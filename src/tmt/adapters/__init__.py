"""The world, one folder a port and one file a technology."""

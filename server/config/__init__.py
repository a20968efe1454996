"""Settings from the environment, the deployment profile, and client addresses."""

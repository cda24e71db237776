"""How streams run inside the CDK: lanes, checkpoints, and how records leave."""

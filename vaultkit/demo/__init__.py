"""The main job from end to end on a local chain, and the report of what happened."""

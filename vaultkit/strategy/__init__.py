"""Where window, model and weight meet: user strategies, their research and their compilation."""

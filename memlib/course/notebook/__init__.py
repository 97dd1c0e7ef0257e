"""What runs in a learner's notebook: seeded inputs, reports, what is hidden, yours beside the target, the button."""

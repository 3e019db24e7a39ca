"""What a running contract costs over time: cycles, parts of them, and schedules. Pure rules."""

"""What is billed, and how it adds up: taxes on sums, discounts, minimums. Pure rules; runs come with their issue."""

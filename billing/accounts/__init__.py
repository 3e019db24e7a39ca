"""Who sells, who buys, who owes, who gets the invoice and who consumes."""

"""Electronic invoices: XML of EN 16931 in its two syntaxes, checked by the official schemas and schematrons."""

"""What dbt reads: the ledger's rows and sums, and what the user brings (budgets, invoices, names, prices)."""

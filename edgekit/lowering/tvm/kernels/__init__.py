"""What the ops of the ledger compute, as TVM's tensor expressions; one file per family."""

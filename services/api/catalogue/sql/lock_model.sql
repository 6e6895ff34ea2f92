-- The lock is held until the end of the transaction, so that nobody offers the model meanwhile.
SELECT model FROM models WHERE id = $1 FOR UPDATE

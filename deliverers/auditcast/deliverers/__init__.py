"""The stage that delivers: batches from `audit.batches` to the customers' HTTPS endpoints, signed, in order."""

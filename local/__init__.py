"""The local stack: everything Millrace needs of AWS, on one machine, from the same template that deploys."""

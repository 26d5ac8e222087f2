"""Keep sessions in DynamoDB, and the data of their workbooks in S3."""

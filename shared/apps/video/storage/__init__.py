"""Keep projects in DynamoDB, and the bytes of their images in S3."""

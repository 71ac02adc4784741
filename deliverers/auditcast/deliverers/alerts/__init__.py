"""Alert emails, by a worker of their own: a slow mail server never touches a delivery.

The pure core looks at how a destination stands and at what its owners were told, and says what to tell them next; the
shell sends that, and writes down that it was sent once the mail server has accepted it.
"""

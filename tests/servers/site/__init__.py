"""The site that all servers of these tests run: one model, a few views, tasks and a command."""

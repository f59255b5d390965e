"""What makes the pools of a site visible: nothing here is imported unless a site asks for it."""

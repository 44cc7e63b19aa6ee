"""The queue of jobs in the host process: where its file is, who adds to it, and the worker that takes job after job."""

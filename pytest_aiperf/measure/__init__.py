"""The use case: rehearsal, runs, looks, verdict. The only thing that the surfaces call to measure."""

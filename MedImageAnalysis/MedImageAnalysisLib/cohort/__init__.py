"""Many studies: cases, engines that spread them over processes and machines, a store that loses nothing."""

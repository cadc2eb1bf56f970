"""Care of the data: backups and the way back to one, the trash's rule, what everything takes."""

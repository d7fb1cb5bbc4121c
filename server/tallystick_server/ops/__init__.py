"""What operators need: logs, disks, peers."""

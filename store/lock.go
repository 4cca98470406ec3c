package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Locked says that another worker holds the ledger.
type Locked struct {
	File   string
	Holder string
}

// Error names the holder.
func (e *Locked) Error() string {
	return fmt.Sprintf("the ledger is held by %s (%s)", e.Holder, e.File)
}

// lock is a kernel lock on a file beside the ledger: it ends with its process,
// however that ends.
type lock struct{ file *os.File }

func takeLock(name, holder string) (*lock, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // it stands beside the ledger
	if err != nil {
		return nil, fmt.Errorf("take the lock of the ledger: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		by, _ := io.ReadAll(io.LimitReader(f, 200))
		closed := f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &Locked{File: name, Holder: orUnknown(strings.TrimSpace(string(by)))}
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), closed)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(holder+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write the holder into %s: %w", name, err), f.Close())
	}
	return &lock{f}, nil
}

// free gives the lock up at once: a process that is just being started shares the open
// file for a moment, and the lock with it.
func (l *lock) free() error {
	return errors.Join(unix.Flock(int(l.file.Fd()), unix.LOCK_UN), l.file.Close())
}

func orUnknown(s string) string {
	if s == "" {
		return "a process that did not give its name"
	}
	return s
}

// networkFileSystem names the file system of a folder if it is one of a network.
func networkFileSystem(folder string) string {
	var s unix.Statfs_t
	if unix.Statfs(folder, &s) != nil {
		return ""
	}
	names := map[int64]string{
		0x6969: "NFS", 0x517b: "SMB", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x01021997: "9P", 0x5346414f: "AFS", 0x73757245: "Coda",
		0x00c36400: "Ceph", 0x65735546: "FUSE", 0x47504653: "GPFS", 0x0bd00bd0: "Lustre", 0x19830326: "BeeGFS",
	}
	return names[int64(s.Type)] //nolint:unconvert // its width differs between machines
}

package file

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/omconnect/omconnect/oms"
)

// codeOf classifies an error of the operating system.
func codeOf(err error) oms.Code {
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case is(fs.ErrNotExist):
		return oms.ErrNotFound
	case is(fs.ErrPermission, syscall.EROFS):
		return oms.ErrDenied
	case is(syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG): // EFBIG: a limit of the process or file system
		return oms.ErrFull
	case is(syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL):
		return oms.ErrInvalid
	case is(syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN):
		return oms.ErrBusy
	}
	return oms.ErrUnavailable // a failing disk or a network mount that is away
}

// advice says what to do about a path that cannot be opened.
func advice(code oms.Code) string {
	switch code { //nolint:exhaustive // codeOf gives no others
	case oms.ErrDenied:
		return "allow the gateway's user to open it"
	case oms.ErrInvalid:
		return "correct the path: a part of it is not a folder, or it is none at all"
	case oms.ErrFull:
		return "make room on the disk"
	case oms.ErrBusy:
		return "raise the limit of open files"
	}
	return "check the disk or mount that it lies on"
}

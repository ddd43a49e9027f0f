//go:build !linux

package integration

import "syscall"

// tied can do nothing here: the server of a killed test process stays.
func tied() *syscall.SysProcAttr { return nil }

// detached needs nothing here: a server outlives the process that started it.
func detached() *syscall.SysProcAttr { return nil }

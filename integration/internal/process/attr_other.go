//go:build !linux

package process

import "syscall"

// Tied can do no more here: the server of a killed test process stays.
func Tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

package process

import "syscall"

// Tied makes a server end with the process that started it, however that ends.
func Tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

package integration

import "syscall"

// tied makes a server end with the process that started it, however that ends.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// detached makes a server outlive the process and the terminal it was started
// from.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

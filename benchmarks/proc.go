package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A memory is what Linux tells of a process's memory, in bytes.
type memory struct {
	now  int64 // VmRSS
	peak int64 // VmHWM
}

// memoryOf reads /proc. It fails when the process is gone.
func memoryOf(pid int) (memory, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	return parseStatus(content)
}

var errNoMemory = errors.New("the status of the process has no VmRSS and VmHWM: it has ended")

// parseStatus reads /proc/PID/status.
func parseStatus(content []byte) (memory, error) {
	var m memory
	found := 0
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		var field *int64
		switch name {
		case "VmRSS":
			field = &m.now
		case "VmHWM":
			field = &m.peak
		default:
			continue
		}
		number, ok := strings.CutSuffix(strings.TrimSpace(value), " kB")
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || !ok {
			return memory{}, fmt.Errorf("%s of the process is %q, want a number of kB", name, value)
		}
		*field = n << 10
		found++
	}
	if found != 2 {
		return memory{}, errNoMemory
	}
	return m, nil
}

// ticksPerSecond is the unit of /proc/PID/stat: USER_HZ, which Linux has kept
// at 100 on every architecture that Go runs on but Alpha's kin.
const ticksPerSecond = 100

// cpuOf returns the CPU time that a running process has taken, in steps of
// 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(content)
}

// parseStat reads /proc/PID/stat. The name of the program stands in it in
// brackets and may have any character, so fields are counted behind the last
// bracket: the state is the first of them, utime the 12th, stime the 13th.
func parseStat(content []byte) (time.Duration, error) {
	i := bytes.LastIndexByte(content, ')')
	fields := strings.Fields(string(content[i+1:]))
	const utime, stime = 11, 12
	if i < 0 || len(fields) <= stime {
		return 0, errors.New("the stat of the process is not in the form that is known")
	}
	var ticks int64
	for _, field := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("the stat of the process: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / ticksPerSecond), nil
}

// ownCPU returns the CPU time, user and system, that this process has taken.
func ownCPU() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// commandOf returns the program and the arguments that a running process was
// started with.
func commandOf(pid int) ([]string, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil, err
	}
	return parseCommand(content)
}

// parseCommand reads /proc/PID/cmdline: each word ends with a zero byte.
func parseCommand(content []byte) ([]string, error) {
	line, ok := strings.CutSuffix(string(content), "\x00")
	if !ok {
		return nil, errors.New("the process has no command line: it has ended")
	}
	return strings.Split(line, "\x00"), nil
}

package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMemoryIsReadFromTheStatusOfAProcess(t *testing.T) {
	t.Parallel()
	got, err := parseStatus([]byte("Name:\tVmHWM: 1 kB\nVmPeak:\t  9999 kB\nVmHWM:\t  2048 kB\nVmRSS:\t    1024 kB\nThreads:\t7\n"))
	if err != nil || got.now != 1<<20 || got.peak != 2<<20 {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, status := range map[string]string{
		"a zombie":     "Name:\tx\nState:\tZ (zombie)\n",
		"one missing":  "VmRSS:\t1 kB\n",
		"another unit": "VmHWM:\t1 MB\nVmRSS:\t1 MB\n",
		"no number":    "VmHWM:\tmuch kB\nVmRSS:\t1 kB\n",
	} {
		if got, err := parseStatus([]byte(status)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

func TestCPUTimeIsReadWhateverTheProgramIsCalled(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"omconnect", "a b", ") R 1 2 (", "((", ""} {
		stat := "42 (" + name + ") S 1 42 42 0 -1 4194560 3131 0 0 0 150 75 11 12 20 0 9 0 100 1 2\n"
		got, err := parseStat([]byte(stat))
		if err != nil || got != 2250*time.Millisecond {
			t.Errorf("%q: got %v, %v", name, got, err)
		}
	}
	for _, stat := range []string{"", "42 (x", "42 (x) S 1 2 3", "42 (x) S 1 42 42 0 -1 4194560 3131 0 0 0 much 75 0 0"} {
		if got, err := parseStat([]byte(stat)); err == nil {
			t.Errorf("%q: got %v, want an error", stat, got)
		}
	}
}

func TestTheCommandOfAProcessIsReadWordByWord(t *testing.T) {
	t.Parallel()
	got, err := parseCommand([]byte("/bin/java\x00-cp\x00/a folder/*\x00\x00"))
	if err != nil || !slices.Equal(got, []string{"/bin/java", "-cp", "/a folder/*", ""}) {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := parseCommand(nil); err == nil {
		t.Errorf("a zombie: got %q, want an error", got)
	}
	own, err := commandOf(os.Getpid())
	if err != nil || !slices.Equal(own, os.Args) {
		t.Errorf("this process is %q, %v; want %q", own, err, os.Args)
	}
}

func TestAProcessCanBeLookedAt(t *testing.T) {
	t.Parallel()
	m, err := memoryOf(os.Getpid())
	if err != nil || m.now <= 0 || m.peak < m.now {
		t.Errorf("memory %+v, %v", m, err)
	}
	// The two ways of asking differ by the size of a tick for each of the two
	// times, and by what is taken in between.
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	now, err := ownCPU()
	if err != nil {
		t.Fatal(err)
	}
	if now < before-2*time.Second/ticksPerSecond {
		t.Errorf("getrusage has %v after /proc had %v", now, before)
	}
	const nobody = 1 << 30 // more than Linux gives
	if _, err := memoryOf(nobody); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("the memory of nobody: %v", err)
	}
	if _, err := cpuOf(nobody); err == nil {
		t.Error("nobody takes CPU time")
	}
}

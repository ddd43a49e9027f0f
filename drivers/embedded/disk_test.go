package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

func init() {
	children["full-disk"] = func() { onSmallDisk(fullDisk) }
	children["floor"] = func() { onSmallDisk(floorOfDisk) }
}

// These run in a process with mounts of its own: a disk of 24 MB that nobody
// else sees, and that is gone with the process.
func TestAFullDiskHoldsUpAndIsGotOver(t *testing.T) {
	t.Parallel()
	runOnSmallDisk(t, "full-disk")
}

func TestTheFloorOfFreeDiskHoldsUp(t *testing.T) {
	t.Parallel()
	runOnSmallDisk(t, "floor")
}

func runOnSmallDisk(t *testing.T, name string) {
	t.Helper()
	ctx := testContext(t)
	cmd := child(t, name, "OMCONNECT_TEST_DISK="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("a process with mounts of its own is refused here (%v): run as root, or allow unprivileged user namespaces", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func onSmallDisk(test func(ctx context.Context, dir string) error) {
	dir := os.Getenv("OMCONNECT_TEST_DISK")
	err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m")
	}
	if err != nil {
		fmt.Println("a disk of 24 MB cannot be mounted here: run as root with CAP_SYS_ADMIN, or allow unprivileged user namespaces:", err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	err = test(ctx, dir)
	cancel()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// fill sends until sending fails, and counts what was confirmed.
func fill(ctx context.Context, s oms.Sender, confirmed *int) error {
	for {
		outcome := make(chan error, 1)
		s.SendAsync(ctx, []*oms.Message{{Topic: "t", ID: strconv.Itoa(*confirmed), Body: bytes.Repeat([]byte{byte(*confirmed)}, 64<<10)}},
			func(err error) { outcome <- err })
		if err := <-outcome; err != nil {
			return err
		}
		*confirmed++
	}
}

func fullDisk(ctx context.Context, dir string) error {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 12<<20), 0o600); err != nil {
		return err
	}
	c, err := oms.Open(ctx, pointOf(filepath.Join(dir, "broker"), "retention.bytes", "1000000000"))
	if err != nil {
		return err
	}
	if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: "t"}); err != nil {
		return err
	}
	return errors.Join(overTheFullDisk(ctx, c, ballast), c.Close(ctx))
}

// overTheFullDisk fills the disk, frees it, and wants sending to go on by
// itself with nothing lost.
func overTheFullDisk(ctx context.Context, c *oms.Client, ballast string) error {
	p, err := c.NewProducer(ctx, oms.SenderConfig{})
	if err != nil {
		return err
	}
	body := func(i int) []byte { return append([]byte(strconv.Itoa(i)+" "), make([]byte, 64<<10)...) }
	confirmed := 0
	var last time.Time
	stalled := make(chan struct{})
	outcome := make(chan error, 1)
	go func() {
		defer close(stalled)
		for {
			p.SendAsync(ctx, []*oms.Message{{Topic: "t", Body: body(confirmed)}}, func(err error) { outcome <- err })
			last = time.Now()
			for answered := false; !answered; {
				select {
				case err = <-outcome:
					answered = true
				case <-time.After(10 * time.Millisecond):
					if errors.Is(p.Stalled(), oms.ErrFull) {
						return // this one is waited for below
					}
				}
			}
			if err != nil {
				return
			}
			confirmed++
		}
	}()
	<-stalled
	if err != nil {
		return fmt.Errorf("%d messages, and the producer does not say that the disk is full: %w", confirmed, err)
	}
	fmt.Printf("full after %d messages, told after %v\n", confirmed, time.Since(last).Round(time.Millisecond))
	if err := os.Remove(ballast); err != nil {
		return err
	}
	freed := time.Now()
	if err := <-outcome; err != nil {
		return fmt.Errorf("the message that waited: %w", err)
	}
	fmt.Printf("went on %v after there was room\n", time.Since(freed).Round(time.Millisecond))
	confirmed++
	if err := p.Send(ctx, &oms.Message{Topic: "t", Body: body(confirmed)}); err != nil {
		return err
	}
	confirmed++
	pc, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	if err != nil {
		return err
	}
	for i := 0; i < confirmed; {
		msgs, err := pc.Receive(ctx, 100, bound)
		if err != nil || len(msgs) == 0 {
			return fmt.Errorf("received %d of %d messages: %w", i, confirmed, err)
		}
		for _, m := range msgs {
			if !bytes.Equal(m.Body, body(i)) {
				return fmt.Errorf("message %d begins with %.10s", i, m.Body)
			}
			i++
		}
		if err := pc.Ack(ctx, msgs...); err != nil {
			return err
		}
	}
	return errors.Join(pc.Close(ctx), p.Close(ctx))
}

func floorOfDisk(ctx context.Context, dir string) error {
	ap, err := oms.ParseAccessPoint(pointOf(filepath.Join(dir, "broker"), "min.free.bytes", strconv.Itoa(8<<20), "retention.bytes", "1000000000"))
	if err != nil {
		return err
	}
	c, err := embedded.Driver{}.Open(ctx, ap)
	if err != nil {
		return err
	}
	if err := c.(oms.TopicAdmin).CreateTopic(ctx, oms.TopicSpec{Name: "t"}); err != nil {
		return err
	}
	s, err := c.OpenSender(ctx, oms.SenderConfig{})
	if err != nil {
		return err
	}
	confirmed := 0
	err = fill(ctx, s, &confirmed)
	var st syscall.Statfs_t
	_ = syscall.Statfs(dir, &st)
	free := int64(st.Bavail) * st.Bsize
	switch {
	case !errors.Is(err, oms.ErrFull) || !strings.Contains(err.Error(), "min.free.bytes"):
		return fmt.Errorf("got %w, want ErrFull that names min.free.bytes", err)
	case free < 7<<20:
		return fmt.Errorf("%d bytes are free, the floor is 8 MiB", free)
	}
	return errors.Join(s.Close(ctx), c.Close(ctx))
}

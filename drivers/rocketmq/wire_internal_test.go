package rocketmq

import (
	"bufio"
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

func TestCommandsComeBackFromTheWire(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	want := &command{Code: 7, Language: "GO", Version: 317, Opaque: -3, Flag: 1, Remark: "r", Fields: map[string]string{"a": "ü"}, body: []byte("body")}
	if err := want.write(bufio.NewWriter(&b)); err != nil {
		t.Fatal(err)
	}
	got, err := readCommand(bufio.NewReader(&b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(command{})); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestWhatIsNoBrokerIsNotRead(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"HTTP": "HTTP/1.1 400 Bad Request\r\n", "huge": "\x7f\xff\xff\xff\x00\x00\x00\x01", "header behind the frame": "\x00\x00\x00\x08\x00\x00\x00\x09aaaa",
		"short": "\x00\x00\x00\x08\x00\x00\x00\x02{", "another format": "\x00\x00\x00\x08\x01\x00\x00\x02{}  ",
	} {
		if c, err := readCommand(bufio.NewReader(bytes.NewBufferString(in))); err == nil {
			t.Errorf("%s is read as %v", name, c)
		}
	}
}

// The signature is what RocketMQ's clients compute of AccessKey=ak, a=1, b=2
// and the body: HMAC-SHA1 of "ak12body" with "secret", sorted by name.
func TestRequestsAreSigned(t *testing.T) {
	t.Parallel()
	fields := map[string]string{"b": "2", "a": "1"}
	c := &command{Fields: fields, body: []byte("body")}
	c.sign("ak", "secret")
	if got, want := c.Fields["Signature"], "aYyc14GuFWUdXSmx7ZCg2lQ2tEM="; got != want {
		t.Errorf("the signature is %s, want %s", got, want)
	}
	if len(fields) != 2 {
		t.Error("the caller's fields were changed")
	}
	open := &command{Fields: fields}
	open.sign("", "")
	if diff := cmp.Diff(fields, open.Fields); diff != "" {
		t.Errorf("without a key (-want +got):\n%s", diff)
	}
}

func TestKeysThatAreNumbersAreQuoted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{0:"a",-1:{2:3}}`: `{"0":"a","-1":{"2":3}}`, `{"a":"{0:\"1\",2:"}`: `{"a":"{0:\"1\",2:"}`, `[1,2]`: `[1,2]`, `{"0":1}`: `{"0":1}`, `{"a`: `{"a`, ``: ``,
	} {
		if got := string(quoteKeys([]byte(in))); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func TestBodiesThatOthersCompressAreInflated(t *testing.T) {
	t.Parallel()
	var inLZ4, inZstd bytes.Buffer
	asLZ4 := lz4.NewWriter(&inLZ4)
	asZstd, err := zstd.NewWriter(&inZstd)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{asLZ4, asZstd} {
		if _, err := io.WriteString(w, "body"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// What the library has inflated already, and what is not compressed.
	for _, flags := range []int32{0, 1, 1 | 3<<8, 1 << 8} {
		if got, err := inflate([]byte("body"), flags); err != nil || string(got) != "body" {
			t.Errorf("flags %x: %q, %v", flags, got, err)
		}
	}
	for flags, in := range map[int32][]byte{1 | 1<<8: inLZ4.Bytes(), 1 | 2<<8: inZstd.Bytes()} {
		if got, err := inflate(in, flags); err != nil || string(got) != "body" {
			t.Errorf("flags %x: %q, %v", flags, got, err)
		}
		for name, bad := range map[string][]byte{"cut short": in[:len(in)/2], "plain": []byte("body")} {
			if got, err := inflate(bad, flags); err == nil {
				t.Errorf("flags %x, %s: gives %q", flags, name, got)
			}
		}
	}
	if got, err := inflate([]byte("body"), 1|4<<8); err == nil {
		t.Errorf("a kind that is not known gives %q", got)
	}
}

func TestADelayIsNeverCutShort(t *testing.T) {
	t.Parallel()
	for _, ms := range []int64{0, 1, 500, 999} {
		wanted := time.UnixMilli(1_700_000_000_000 + ms)
		at := due(wanted)
		delivered := at.Truncate(time.Second) // as brokers round
		if at.Equal(delivered) {
			delivered = delivered.Add(-time.Second)
		}
		if delivered.Before(wanted) || at.Sub(wanted) > 2*time.Second {
			t.Errorf("wanted at %v, the broker is told %v and delivers at %v", wanted, at, delivered)
		}
	}
}

package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// timeout is how long a call may take; longer than the gateway waits for its
// store, so that its own words arrive.
const timeout = 45 * time.Second

// maxAnswer bounds an answer, should something else answer at the address.
const maxAnswer = 64 << 20

// A Client calls one gateway. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New returns a client of the gateway at an address: host:port, or an http or
// https URL. It does not call it.
func New(address string) (*Client, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	base, err := url.Parse(address)
	switch {
	case err != nil:
		err = errors.New("it cannot be read") // its text may hold a password
	case base.Scheme != "http" && base.Scheme != "https":
		err = errors.New("it must begin with http:// or https://, or be host:port")
	case base.Host == "":
		err = errors.New("it names no host")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		err = errors.New("it must have no user, query or fragment")
	}
	if err != nil {
		return nil, &oms.Error{Op: "read the gateway's address", Code: oms.ErrInvalid, Err: fmt.Errorf("%w; write it as 127.0.0.1:8083", err)}
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone() // which it is unless somebody replaced it
	transport.DisableKeepAlives = true                           // a command makes one call
	return &Client{base: base, http: &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the API has none
	}}, nil
}

// WithToken returns a client that sends the token that the gateway asks for;
// with "" it sends none.
func (c *Client) WithToken(token string) *Client {
	with := *c
	with.token = token
	return &with
}

// Local reports whether the gateway's address can only be one of this machine.
func (c *Client) Local() bool {
	host := c.base.Hostname()
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// Address returns the gateway's address, for messages.
func (c *Client) Address() string { return c.base.Host }

// An Error is an answer that is not a success.
type Error struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

// Error returns the gateway's message.
func (e *Error) Error() string { return e.Message }

// call makes one call. The parts of the path are escaped here; body is sent
// as JSON unless it is nil, and the answer is read into answer unless that is
// nil.
func (c *Client) call(ctx context.Context, method string, path []string, query url.Values, body, answer any) error {
	target := *c.base
	for _, part := range path {
		if part == "" { // or the call would be another one
			return &oms.Error{Op: "call the gateway", Code: oms.ErrInvalid, Err: errors.New("a connector needs a name")}
		}
		target.RawPath = cmp.Or(target.RawPath, target.Path) + "/" + url.PathEscape(part)
		target.Path += "/" + part
	}
	target.RawQuery = query.Encode()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), sent)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if sent != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return c.failure(res, text)
	}
	if answer == nil || len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return c.foreign(res)
	}
	return nil
}

// unreachable says which address was tried, and what to do. The caller's own
// cancellation is not the gateway's fault.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("call the gateway at %s: %w", c.base.Host, context.Cause(ctx))
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return &oms.Error{Op: "call the gateway at", Target: c.base.Host, Code: oms.ErrTimeout, Err: fmt.Errorf("no answer within %s", timeout)}
		}
		err = e.Err // without the URL, which the address stands for
	}
	return &oms.Error{Op: "call", Code: oms.ErrUnavailable, Err: fmt.Errorf(
		"no gateway answers at %s (%w); start one with omconnect run, or name the address that it listens on", c.base.Host, err)}
}

// failure reads the body of an error.
func (c *Client) failure(res *http.Response, text []byte) error {
	e := new(Error)
	if err := json.Unmarshal(text, e); err != nil || e.Message == "" {
		return c.foreign(res)
	}
	e.Code = res.StatusCode // whatever the body says
	return e
}

// foreign is the error of an answer that no gateway gives.
func (c *Client) foreign(res *http.Response) error {
	return &Error{Code: res.StatusCode, Message: fmt.Sprintf(
		"what answers at %s is no omconnect gateway: its answer (%s) is not of that form", c.base.Host, res.Status)}
}

package servers

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	getClusterInfo = 106     // of a name server: which brokers there are
	maxAnswer      = 1 << 20 // bytes
)

// askRocketMQ sends a request to a RocketMQ server and returns its answer's
// header and body. A frame is its length, the length of its header, the header
// as JSON, and the body.
func askRocketMQ(ctx context.Context, addr string, c *Certificates, code int, fields map[string]string, body string) (string, error) {
	dialer := &net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if c != nil {
		config, err := c.ClientConfig()
		if err != nil {
			return "", err
		}
		conn = tls.Client(conn, config)
	}
	header, err := json.Marshal(map[string]any{
		"code": code, "flag": 0, "language": "OTHER", "opaque": 1, "version": 0,
		"serializeTypeCurrentRPC": "JSON", "extFields": fields,
	})
	if err != nil {
		return "", err
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body))) //nolint:gosec // both are small
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(header)))            //nolint:gosec // it is small
	if _, err := conn.Write(append(append(frame, header...), body...)); err != nil {
		return "", err
	}
	var length uint32
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return "", err
	}
	if length < 4 || length > maxAnswer {
		return "", fmt.Errorf("%s does not answer as a RocketMQ does", addr)
	}
	answer := make([]byte, length)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return "", err
	}
	return string(answer[4:]), nil
}

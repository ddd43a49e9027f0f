package servers_test

import (
	"net/http"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/integration/servers"
)

func TestRabbitMQComesBackWithItsDataAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := servers.RabbitMQ(t, servers.Config("channel_max", "77"))
	loopback(t, s)
	conn, channel := openAMQP(t, "amqp://guest:guest@"+s.Addr())
	if conn.Config.ChannelMax != 77 {
		t.Errorf("a connection has %d channels, want 77, as Config says", conn.Config.ChannelMax)
	}
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDeclare("kept", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	sent, err := channel.PublishWithDeferredConfirmWithContext(t.Context(), "", "kept", true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("yes")})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := sent.WaitContext(t.Context()); err != nil || !ok {
		t.Fatalf("the message is confirmed: %v, %v", ok, err)
	}
	conn.Close()
	lives(t, s, func() {
		t.Helper()
		conn, channel := openAMQP(t, "amqp://guest:guest@"+s.Addr())
		defer conn.Close()
		var got amqp.Delivery
		until(t, "the queue to have its message", func() bool { // it elects its leader first
			message, ok, err := channel.Get("kept", false)
			if err != nil {
				t.Fatal(err)
			}
			got = message
			return ok
		})
		if string(got.Body) != "yes" {
			t.Errorf("the queue has %q, want yes", got.Body)
		}
	})
}

func TestRabbitMQTakesItsUserOnly(t *testing.T) {
	t.Parallel()
	c := certificates(t)
	s := servers.RabbitMQ(t, servers.TLS(c), servers.ClientCertificates(), servers.User("alice", "wonder-land"))
	with := clientConfig(t, c)
	without := with.Clone()
	without.Certificates = nil

	conn, err := amqp.DialTLS("amqps://alice:wonder-land@"+s.Addr(), with)
	if err != nil {
		t.Fatalf("the user over TLS: %v", err)
	}
	conn.Close()
	if conn, err := amqp.DialTLS("amqps://guest:guest@"+s.Addr(), with); err == nil {
		conn.Close()
		t.Error("the user guest is let in")
	}
	if conn, err := amqp.DialTLS("amqps://alice:wonder-land@"+s.Addr(), without); err == nil {
		conn.Close()
		t.Error("a client without a certificate is let in")
	}
	conn, err = amqp.Dial("amqp://alice:wonder-land@" + s.AddrOf(servers.Plain))
	if err != nil {
		t.Fatalf("the user at the plain address: %v", err)
	}
	conn.Close()

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.AddrOf(servers.Management)+"/api/overview", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("alice", "wonder-land")
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the management API answers %s, want 200", answer.Status)
	}
}

func openAMQP(t *testing.T, url string) (*amqp.Connection, *amqp.Channel) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return conn, channel
}

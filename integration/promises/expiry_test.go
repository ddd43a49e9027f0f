package promises

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestAnExpiryThatIsNoNumberIsNone has another program write our header for
// the time after which nobody wants a message, and not as a number.
func TestAnExpiryThatIsNoNumberIsNone(t *testing.T) {
	t.Parallel()
	b := brokers[2]
	g := start(t, b.point(t))
	topic, out := fresh("topic"), newTray(t, fresh("sink"))
	g.create(out.name, out.config(topic))
	g.is(out.name, "RUNNING")
	conn, err := amqp.Dial("amqp://guest:guest@" + b.first(t).Addr() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for body, expires := range map[string]any{"soon": "soon", "never": "4102444800000", "list": []any{}, "nil": nil} {
		m := amqp.Publishing{Body: []byte(body), Headers: amqp.Table{"oms-expires": expires}}
		if err := ch.PublishWithContext(t.Context(), topic, "0", true, false, m); err != nil {
			t.Fatal(err)
		}
	}
	g.gets(out, []string{"list", "never", "nil", "soon"})
}

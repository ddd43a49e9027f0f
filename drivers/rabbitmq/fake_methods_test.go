package rabbitmq_test

import "bytes"

// handle answers a method on a channel.
func (ch *fakeChannel) handle(class, method uint16, w *wire) {
	switch class {
	case 40:
		ch.exchange(method, w)
	case 50:
		ch.queue(method, w)
	case 60:
		ch.basic(method, w)
	case 85:
		ch.confirms = true
		ch.conn.method(ch.id, 85, 11)
	}
}

func (ch *fakeChannel) exchange(method uint16, w *wire) {
	f := ch.conn.fake
	w.short()
	name := w.text()
	switch method {
	case 10: // declare
		w.text()
		if passive := w.octet()&1 != 0; passive && !f.exchanges[name] {
			ch.fail(404, "NOT_FOUND - no exchange '"+name+"' in vhost '/'")
			return
		}
		f.exchanges[name] = true
		ch.conn.method(ch.id, 40, 11)
	case 20: // delete
		f.deleteExchange(name)
		ch.conn.method(ch.id, 40, 21)
	}
}

func (ch *fakeChannel) queue(method uint16, w *wire) {
	f := ch.conn.fake
	w.short()
	name := w.text()
	q := f.queues[name]
	if q != nil && q.owner != nil && q.owner != ch.conn {
		ch.fail(405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '"+name+"'")
		return
	}
	switch method {
	case 10: // declare
		bits := w.octet()
		passive, exclusive := bits&1 != 0, bits&4 != 0
		switch {
		case q == nil && passive:
			ch.fail(404, "NOT_FOUND - no queue '"+name+"' in vhost '/'")
			return
		case q == nil:
			q = &fakeQueue{name: name}
			if exclusive {
				q.owner = ch.conn
			}
			f.queues[name], f.declared[name] = q, bytes.Clone(w.b)
		case !passive && !bytes.Equal(f.declared[name], w.b):
			ch.fail(406, "PRECONDITION_FAILED - inequivalent arg")
			return
		}
		answer := func() {
			ch.conn.method(ch.id, 50, 11, text(name), long(uint32(len(q.msgs))), long(uint32(min(1, len(q.consumers)))))
		}
		if f.late[name] != nil {
			f.late[name] = append(f.late[name], answer)
			return
		}
		answer()
	case 20: // bind
		b := fakeBinding{queue: name, exchange: w.text(), key: w.text()}
		if q == nil || !f.exchanges[b.exchange] {
			ch.fail(404, "NOT_FOUND - no queue or exchange")
			return
		}
		found := false
		for _, other := range f.bindings {
			found = found || other == b
		}
		if !found {
			f.bindings = append(f.bindings, b)
		}
		ch.conn.method(ch.id, 50, 21)
	case 40: // delete
		f.deleteQueue(name)
		ch.conn.method(ch.id, 50, 41, long(0))
	}
}

func (ch *fakeChannel) basic(method uint16, w *wire) {
	f := ch.conn.fake
	switch method {
	case 10: // qos
		w.short()
		w.short()
		ch.prefetch = int(w.short())
		ch.conn.method(ch.id, 60, 11)
	case 20: // consume
		w.short()
		name, tag := w.text(), w.text()
		q := f.queues[name]
		if q == nil {
			ch.fail(404, "NOT_FOUND - no queue '"+name+"' in vhost '/'")
			return
		}
		ch.consumers[tag] = q
		ch.conn.method(ch.id, 60, 21, text(tag))
		q.consumers = append(q.consumers, &fakeConsumer{channel: ch, tag: tag, credit: ch.prefetch})
		f.deliver(q)
	case 30: // cancel
		tag := w.text()
		if q := ch.consumers[tag]; q != nil {
			ch.cancel(tag, q)
		}
		ch.conn.method(ch.id, 60, 31, text(tag))
	case 40: // publish
		w.short()
		ch.incoming = &fakeMessage{exchange: w.text(), key: w.text()}
		ch.mandatory = w.octet()&1 != 0
	case 70: // get
		ch.get(w)
	case 80: // ack
		tag := w.longlong()
		ms, _ := ch.settle(tag, w.octet()&1 != 0)
		for _, m := range ms {
			f.deliver(m.queue)
		}
	case 120: // nack
		tag := w.longlong()
		ms, _ := ch.settle(tag, w.octet()&1 != 0)
		f.giveBack(ms...)
	}
}

func (ch *fakeChannel) get(w *wire) {
	w.short()
	q := ch.conn.fake.queues[w.text()]
	if q == nil || len(q.msgs) == 0 {
		ch.conn.method(ch.id, 60, 72, text(""))
		return
	}
	m := q.msgs[0]
	q.msgs = q.msgs[1:]
	ch.tag++
	ch.unacked[ch.tag] = fakeDelivery{msg: m}
	ch.conn.content(ch.id, 71, m, longlong(ch.tag), flag(m.redelivered), text(m.exchange), text(m.key), long(uint32(len(q.msgs))))
}

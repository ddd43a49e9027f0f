package transform

import (
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A jsonConverter is Kafka Connect's JsonConverter.
type jsonConverter struct {
	schemas  bool
	style    jsonStyle
	defaults bool
	seen     readCache
	written  writeCache
}

func jsonPlugin() connect.ConverterPlugin {
	return connect.ConverterPlugin{
		Type: "json", Aliases: []string{"org.apache.kafka.connect.json.JsonConverter", "JsonConverter"},
		Doc: "JSON as Kafka Connect's JsonConverter writes it, by default with the schema beside each value.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "schemas.enable", Type: connect.Bool, Default: "true", Doc: `Whether each value is an object {"schema": …, "payload": …}. Set it to false for plain JSON.`},
			{Name: "schemas.cache.size", Type: connect.Int, Default: "1000", Max: 1 << 30, Doc: "Known for Kafka Connect's sake; nothing depends on it."},
			{
				Name: "decimal.format", Default: "BASE64", Doc: "How decimals are written: BASE64 (of their digits as an integer) or NUMERIC.",
				Check: func(value string) error {
					if f := strings.ToUpper(value); f != "BASE64" && f != "NUMERIC" {
						return malformed("read", "it is neither BASE64 nor NUMERIC")
					}
					return nil
				},
			},
			defaultsKey(),
		}},
		New: func(_ connect.Part, config oms.KeyValue) (connect.Converter, error) {
			r := config.Reader()
			c := &jsonConverter{schemas: r.Bool("schemas.enable"), defaults: r.Bool("replace.null.with.default"), style: styleKafka}
			if strings.EqualFold(config["decimal.format"], "NUMERIC") {
				c.style = styleKafkaNumeric
			}
			return c, nil
		},
	}
}

// Decode takes JSON, with schemas.enable the two members of the envelope.
func (c *jsonConverter) Decode(b []byte) (any, error) {
	if c.schemas {
		if schema, payload, ok := c.seen.find(b); ok {
			return c.read(schema, payload)
		}
	}
	v, err := parseJSON(b)
	if err != nil || !c.schemas {
		return v, err
	}
	s, ok := v.(*connect.Struct)
	if !ok || len(s.Fields) != 2 || s.Index("schema") < 0 || s.Index("payload") < 0 {
		return nil, malformed("decode", `it is not an object of "schema" and "payload"; set schemas.enable=false for plain JSON`)
	}
	payload, _ := s.Get("payload")
	described, _ := s.Get("schema")
	if described == nil {
		return payload, nil
	}
	schema, err := readSchema(described, 0)
	if err != nil {
		return nil, err
	}
	c.seen.keep(b, schema)
	return c.read(schema, payload)
}

// Encode writes JSON, with schemas.enable in its envelope.
func (c *jsonConverter) Encode(v any) ([]byte, error) {
	if !c.schemas {
		return appendJSON(nil, v, c.style)
	}
	b, err := c.appendSchema([]byte(`{"schema":`), v)
	if err != nil {
		return nil, err
	}
	if b, err = appendJSON(append(b, `,"payload":`...), v, c.style); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// appendSchema writes the schema of a value.
func (c *jsonConverter) appendSchema(b []byte, v any) ([]byte, error) {
	typed, _ := v.(*connect.Struct)
	if typed != nil && typed.Typed {
		if text, ok := c.written.find(typed); ok {
			return append(b, text...), nil
		}
	}
	schema, err := schemaOf(v)
	if err != nil {
		return nil, err
	}
	if schema == nil {
		return append(b, "null"...), nil
	}
	start := len(b)
	if b, err = schema.append(b, ""); err != nil {
		return nil, err
	}
	if typed != nil {
		c.written.keep(typed, b[start:])
	}
	return b, nil
}

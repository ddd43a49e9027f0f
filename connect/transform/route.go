package transform

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func filterPlugin() connect.TransformPlugin {
	return connect.TransformPlugin{
		Type: "Filter", Aliases: []string{kafkaTransforms + "Filter"},
		Doc: "Drops every record; with a predicate, those for which it holds.",
		New: func(oms.KeyValue) (connect.Transform, error) { return filter{}, nil },
	}
}

type filter struct{}

// Apply drops the record.
func (filter) Apply(*connect.Record) (*connect.Record, error) { return nil, nil }

// checkRegexp explains why a regular expression is refused.
func checkRegexp(value string) error {
	if _, err := regexp.Compile(value); err != nil {
		return fmt.Errorf("%w; expressions are Go's, which have no look-around, back-references or possessive quantifiers", err)
	}
	return nil
}

// whole compiles an expression that has to match from beginning to end.
func whole(expression string) *regexp.Regexp {
	return regexp.MustCompile(`\A(?:` + expression + `)\z`)
}

func regexRouterPlugin() connect.TransformPlugin {
	return connect.TransformPlugin{
		Type: "RegexRouter", Aliases: []string{kafkaTransforms + "RegexRouter"},
		Doc: "Changes the topic by a regular expression, where it matches the whole topic.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "regex", Required: true, Doc: "Regular expression that the whole topic has to match.", Check: checkRegexp},
			{Name: "replacement", Required: true, Doc: "What the match becomes; $1 or ${name} is a group, \\$ a dollar."},
		}},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			r := &regexRouter{find: regexp.MustCompile(config["regex"]), whole: whole(config["regex"])}
			var err error
			if r.replacement, err = parseReplacement(config["replacement"], r.find); err != nil {
				return nil, oms.KeyErrors{{Key: "replacement", Problem: err.Error()}}
			}
			return r, nil
		},
	}
}

// A regexRouter is RegexRouter. As in Java, a topic that matches as a whole
// has the first match in it replaced, which may be shorter.
type regexRouter struct {
	find, whole *regexp.Regexp
	replacement []replaced
}

// Apply changes the topic.
func (t *regexRouter) Apply(r *connect.Record) (*connect.Record, error) {
	topic := r.Topic()
	if !t.whole.MatchString(topic) {
		return r, nil
	}
	at := t.find.FindStringSubmatchIndex(topic)
	var b strings.Builder
	b.WriteString(topic[:at[0]])
	for _, p := range t.replacement {
		b.WriteString(p.literal)
		if p.group >= 0 && at[2*p.group] >= 0 {
			b.WriteString(topic[at[2*p.group]:at[2*p.group+1]])
		}
	}
	b.WriteString(topic[at[1]:])
	r.SetTopic(b.String())
	return r, nil
}

// A replaced is a piece of a replacement: a literal, and then a group or none.
type replaced struct {
	literal string
	group   int // -1 for none
}

// parseReplacement reads a replacement as Java does: a reference takes as many
// digits as there are groups for.
func parseReplacement(s string, re *regexp.Regexp) ([]replaced, error) {
	var all []replaced
	var literal strings.Builder
	group := func(n int) {
		all = append(all, replaced{literal.String(), n})
		literal.Reset()
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
			if i == len(s) {
				return nil, errors.New("it ends with a backslash; write two for one")
			}
			literal.WriteByte(s[i])
		case s[i] != '$':
			literal.WriteByte(s[i])
		case strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, errors.New("a ${ has no }")
			}
			n := re.SubexpIndex(s[i+2 : i+end])
			if n < 0 {
				return nil, fmt.Errorf("the expression has no group %.100q", s[i+2:i+end])
			}
			group(n)
			i += end
		default:
			end := i + 1
			n := -1
			for end < len(s) && s[end] >= '0' && s[end] <= '9' {
				next, _ := strconv.Atoi(s[i+1 : end+1])
				if n >= 0 && next > re.NumSubexp() {
					break
				}
				n = next
				end++
			}
			if n < 0 || n > re.NumSubexp() {
				return nil, errors.New("a $ is not followed by a group that the expression has; write \\$ for a dollar")
			}
			group(n)
			i = end - 1
		}
	}
	group(-1)
	return all, nil
}

func topicNameMatchesPlugin() connect.PredicatePlugin {
	return connect.PredicatePlugin{
		Type: "TopicNameMatches", Aliases: []string{kafkaPredicates + "TopicNameMatches"},
		Doc: "Holds for records whose whole topic matches a regular expression.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "pattern", Required: true, Doc: "Regular expression that the whole topic has to match.", Check: checkRegexp},
		}},
		New: func(config oms.KeyValue) (connect.Predicate, error) {
			re := whole(config["pattern"])
			return test(func(r *connect.Record) (bool, error) { return re.MatchString(r.Topic()), nil }), nil
		},
	}
}

func hasHeaderKeyPlugin() connect.PredicatePlugin {
	return connect.PredicatePlugin{
		Type: "HasHeaderKey", Aliases: []string{kafkaPredicates + "HasHeaderKey"},
		Doc: "Holds for records that have a header of that name.",
		Def: connect.ConfigDef{Keys: []connect.Key{{Name: "name", Required: true, Doc: "Name of the header."}}},
		New: func(config oms.KeyValue) (connect.Predicate, error) {
			return test(func(r *connect.Record) (bool, error) { _, ok := r.Headers().Get(config["name"]); return ok, nil }), nil
		},
	}
}

func recordIsTombstonePlugin() connect.PredicatePlugin {
	return connect.PredicatePlugin{
		Type: "RecordIsTombstone", Aliases: []string{kafkaPredicates + "RecordIsTombstone"},
		Doc: "Holds for tombstones: records whose value is null.",
		New: func(oms.KeyValue) (connect.Predicate, error) {
			return test(func(r *connect.Record) (bool, error) { return r.Null(connect.PartValue) }), nil
		},
	}
}

// A test is a predicate that is a function.
type test func(r *connect.Record) (bool, error)

// Test calls the function.
func (t test) Test(r *connect.Record) (bool, error) { return t(r) }

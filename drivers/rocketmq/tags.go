package rocketmq

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// A message has one tag, by which RocketMQ's consumers choose what they get.
// With the option tag.header it is the value of a header, which travels as any
// other header, too: whoever reads has it, with the option or without.

// tagSeparator stands between tags in what a consumer asks for: nobody could
// ask for one that has it.
const tagSeparator = "||"

// tagOf returns the tag that a message is to have: nil for none.
func tagOf(hs oms.Headers, tagHeader string) ([]byte, error) {
	if tagHeader == "" {
		return nil, nil
	}
	tag, _ := hs.Get(tagHeader)
	if len(tag) == 0 {
		return nil, nil
	}
	if !plainValue(tag) || bytes.Contains(tag, []byte(tagSeparator)) || len(bytes.TrimSpace(tag)) != len(tag) {
		return nil, &oms.Error{Code: oms.ErrInvalid, Err: fmt.Errorf("the value of header %q cannot be a tag: a tag is text without control characters, without spaces around it, and without %s", tagHeader, tagSeparator)}
	}
	return tag, nil
}

// checkTagHeader refuses names that tag.header cannot have.
func checkTagHeader(name string) error {
	if name != "" && (!plainText(name) || strings.TrimSpace(name) != name) {
		return fmt.Errorf("%q is no name of a header", name)
	}
	return nil
}

// headerOf is the name of the header that a property of a foreign message
// becomes.
func headerOf(property, tagHeader string) string {
	if property == primitive.PropertyTags && tagHeader != "" {
		return tagHeader
	}
	return property
}

package rocketmq

import "github.com/omconnect/omconnect/oms"

var _ oms.Checker = Driver{}

// CheckAccessPoint implements oms.Checker.
func (Driver) CheckAccessPoint(ap oms.AccessPoint) error {
	_, err := readOptions(ap)
	return err
}

// CheckTopic implements oms.Checker. The namespace counts for the length of a
// name.
func (Driver) CheckTopic(ap oms.AccessPoint, topic string) error {
	return options{namespace: ap.Region}.checkTopic(topic)
}

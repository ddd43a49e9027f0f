package rabbitmq

import "github.com/omconnect/omconnect/oms"

var _ oms.Checker = Driver{}

// CheckAccessPoint implements oms.Checker. Files of certificates are read when
// a connection is made.
func (Driver) CheckAccessPoint(ap oms.AccessPoint) error {
	_, err := readOptions(ap)
	return err
}

// CheckTopic implements oms.Checker.
func (Driver) CheckTopic(_ oms.AccessPoint, topic string) error { return topicProblem(topic) }

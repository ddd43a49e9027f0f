package rocketmq

import (
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
)

// steering are the properties that mean something to a broker or to a client
// library, in upper case. A header of such a name, however it is written,
// travels as oms-h-<name>.
var steering = func() map[string]bool {
	names := []string{
		envelopeProperty,
		primitive.PropertyKeys, primitive.PropertyTags, primitive.PropertyWaitStoreMsgOk, primitive.PropertyDelayTimeLevel,
		primitive.PropertyRetryTopic, primitive.PropertyTimerDeliverMS, primitive.PropertyRealTopic, primitive.PropertyRealQueueId,
		primitive.PropertyTransactionPrepared, primitive.PropertyProducerGroup, primitive.PropertyMinOffset, primitive.PropertyMaxOffset,
		primitive.PropertyBuyerId, primitive.PropertyOriginMessageId, primitive.PropertyTransferFlag, primitive.PropertyCorrectionFlag,
		primitive.PropertyMQ2Flag, primitive.PropertyReconsumeTime, primitive.PropertyMsgRegion, primitive.PropertyTraceSwitch,
		primitive.PropertyUniqueClientMessageIdKeyIndex, primitive.PropertyMaxReconsumeTimes, primitive.PropertyConsumeStartTime,
		primitive.PropertyTranscationPreparedQueueOffset, primitive.PropertyTranscationCheckTimes,
		primitive.PropertyCheckImmunityTimeInSeconds, primitive.PropertyShardingKey, primitive.PropertyTransactionID,
		primitive.PropertyCorrelationID, primitive.PropertyMessageReplyToClient, primitive.PropertyMessageTTL,
		primitive.PropertyReplyMessageArriveTime, primitive.PropertyMsgType, primitive.PropertyCluster,
		// Of brokers from 5.0 on; the library has no names for them.
		"POP_CK", "POP_CK_OFFSET", "1ST_POP_TIME", "INNER_NUM", "INNER_BASE", "INNER_MULTI_DISPATCH", "INNER_MULTI_QUEUE_OFFSET",
		"DUP_INFO", "EXTEND_UNIQ_INFO", "INSTANCE_ID", "PUSH_REPLY_TIME", "TRACE_CONTEXT", "BORNHOST", "BORN_TIMESTAMP",
		"DLQ_ORIGIN_TOPIC", "DLQ_ORIGIN_MESSAGE_ID", "DLQ_ORIGIN_QUEUE_ID", "LITE_TOPIC", "CRC32", "__CRC32#", "__SHARDINGKEY", "UNIQ_ID",
		"TAG_SIZE", "POLYMORPHIC", "SYS_TXN", "CONSUMER_GROUP", "TRANSACTION_ID", "OPTS", "MULTI_TAGS",
	}
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[strings.ToUpper(n)] = true
	}
	return m
}()

// bookkeeping are the properties that brokers and client libraries write by
// themselves. They are no headers of a message that another program has sent.
var bookkeeping = func() map[string]bool {
	m := make(map[string]bool)
	for _, n := range []string{
		primitive.PropertyUniqueClientMessageIdKeyIndex, primitive.PropertyWaitStoreMsgOk, primitive.PropertyMinOffset,
		primitive.PropertyMaxOffset, primitive.PropertyMsgRegion, primitive.PropertyTraceSwitch, primitive.PropertyCluster,
		primitive.PropertyConsumeStartTime, primitive.PropertyKeys, primitive.PropertyTransactionID, "__CRC32#",
		// Of half messages.
		primitive.PropertyTransactionPrepared, primitive.PropertyProducerGroup, primitive.PropertyRealTopic, primitive.PropertyRealQueueId,
		primitive.PropertyTranscationPreparedQueueOffset, primitive.PropertyTranscationCheckTimes,
	} {
		m[strings.ToUpper(n)] = true
	}
	return m
}()

// warded gives a name that would steer the broker one that does not.
func warded(name string) string {
	upper := strings.ToUpper(name)
	if steering[upper] || strings.HasPrefix(upper, "TIMER_") || strings.HasPrefix(upper, "POP_") || strings.HasPrefix(upper, "__") {
		return envelope.Ward + name
	}
	return name
}

"""One MQTT session over paho: the only package that imports paho.

Read `session` first. paho owns what is hard and rare (CONNECT, SUBSCRIBE,
keep-alive, QoS 2, every MQTT 5 reason); `fastwire` takes what is easy and
frequent (PUBLISH and PUBACK) off its hands, `plainwire` leaves it all to paho and
must behave the same: one contract suite runs on both.
"""

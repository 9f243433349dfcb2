
# What `nginx -t` says to a configuration, and which words tell what to write
# instead: the workers, their store, directory and program, and the times that
# hold for all of them.

use ChatTest;

plan('no_plan');
run_tests();

__DATA__

=== TEST 1: chat_workers 0 is refused
--- http_config
# bare
    chat_workers 0;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "0" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 2: chat_workers 65 is refused
--- http_config
# bare
    chat_workers 65;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "65" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 3: chat_workers x is refused
--- http_config
# bare
    chat_workers x;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "x" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 4: chat_workers -1 is refused
--- http_config
# bare
    chat_workers -1;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "-1" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 5: chat_workers unix: is refused
--- http_config
# bare
    chat_workers unix:;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "unix:" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 6: chat_workers 1.5 is refused
--- http_config
# bare
    chat_workers 1.5;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "1.5" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 7: chat_workers twice
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_workers auto;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_workers" directive is duplicate}]
--- no_error_log
[alert]



=== TEST 8: chat_workers without a store
--- http_config
# bare
    chat_workers auto;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_workers" needs a store: write for example "chat_store leveldb:}]
--- no_error_log
[alert]



=== TEST 9: chat_store /var/lib/x is refused
--- http_config
# bare
    chat_workers auto; chat_store /var/lib/x;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "/var/lib/x" of "chat_store": write "leveldb:PATH"}]
--- no_error_log
[alert]



=== TEST 10: chat_store leveldb: is refused
--- http_config
# bare
    chat_workers auto; chat_store leveldb:;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "leveldb:" of "chat_store": write "leveldb:PATH"}]
--- no_error_log
[alert]



=== TEST 11: chat_store sqlite:/x is refused
--- http_config
# bare
    chat_workers auto; chat_store sqlite:/x;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "sqlite:/x" of "chat_store": write "leveldb:PATH"}]
--- no_error_log
[alert]



=== TEST 12: chat_store memory: is refused
--- http_config
# bare
    chat_workers auto; chat_store memory:;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "memory:" of "chat_store": write "leveldb:PATH"}]
--- no_error_log
[alert]



=== TEST 13: chat_workers unix: with chat_store
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_store leveldb:/tmp/x;
--- config

--- must_die: 1
--- error_log eval
[q{remove "chat_run_dir", "chat_store" and "chat_program"}]
--- no_error_log
[alert]



=== TEST 14: a run directory too long for a socket
--- http_config
# bare
    chat_workers auto; chat_store leveldb:/tmp/x; chat_run_dir /tmp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
--- config

--- must_die: 1
--- error_log eval
[q{is too long for the address of a socket}]
--- no_error_log
[alert]



=== TEST 15: chat_drain_time without a time
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_drain_time x;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_drain_time" directive needs a time}]
--- no_error_log
[alert]



=== TEST 16: chat_workers without an argument
--- http_config
# bare
    chat_workers;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_workers" directive}]
--- no_error_log
[alert]



=== TEST 17: chat_run_dir without an argument
--- http_config
# bare
    chat_run_dir;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_run_dir" directive}]
--- no_error_log
[alert]



=== TEST 18: chat_store without an argument
--- http_config
# bare
    chat_store;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_store" directive}]
--- no_error_log
[alert]



=== TEST 19: chat_drain_time without an argument
--- http_config
# bare
    chat_drain_time;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_drain_time" directive}]
--- no_error_log
[alert]



=== TEST 20: chat_program without an argument
--- http_config
# bare
    chat_program;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_program" directive}]
--- no_error_log
[alert]



=== TEST 21: chat_presence_timeout without a time
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_presence_timeout x;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_presence_timeout" directive needs a time}]
--- no_error_log
[alert]



=== TEST 22: chat_presence_timeout above a day
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_presence_timeout 2d;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_presence_timeout" directive must be at most "1d"}]
--- no_error_log
[alert]



=== TEST 23: chat_store leveldb:/x cache=1023k is refused
--- http_config
# bare
    chat_workers auto; chat_store leveldb:/x cache=1023k;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "cache=1023k" of "chat_store": write "cache=SIZE", from 1m to 1024g}]
--- no_error_log
[alert]



=== TEST 24: chat_store leveldb:/x cache=1025g is refused
--- http_config
# bare
    chat_workers auto; chat_store leveldb:/x cache=1025g;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "cache=1025g" of "chat_store": write "cache=SIZE", from 1m to 1024g}]
--- no_error_log
[alert]



=== TEST 25: chat_store leveldb:/x cache= is refused
--- http_config
# bare
    chat_workers auto; chat_store leveldb:/x cache=;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "cache=" of "chat_store": write "cache=SIZE", from 1m to 1024g}]
--- no_error_log
[alert]



=== TEST 26: chat_store leveldb:/x cache=much is refused
--- http_config
# bare
    chat_workers auto; chat_store leveldb:/x cache=much;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "cache=much" of "chat_store": write "cache=SIZE", from 1m to 1024g}]
--- no_error_log
[alert]



=== TEST 27: chat_store leveldb:/x cach=64m is refused
--- http_config
# bare
    chat_workers auto; chat_store leveldb:/x cach=64m;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "cach=64m" of "chat_store": write "cache=SIZE", from 1m to 1024g}]
--- no_error_log
[alert]

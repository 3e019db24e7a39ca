%% A network element on Erlang/OTP's diameter: it asks for credit and reports usage, and is strict about what comes back.
%% `erl -noshell -run gateway start PORT`: a line for each answer, with what the decoder found wrong (nothing, it should be).
-module(gateway).
-include_lib("diameter/include/diameter.hrl").
-export([start/1]).
-export([peer_up/3, peer_down/3, pick_peer/4, prepare_request/3, prepare_retransmit/3,
         handle_answer/4, handle_error/4, handle_request/3]).

-define(SESSION, "erl.epc;1;1").
-define(OCTETS(N), #{'CC-Total-Octets' => N}).

start([Port]) ->
    ok = diameter:start(),
    ok = diameter:start_service(gateway,
        [{'Origin-Host', "erl.epc"}, {'Origin-Realm', "epc"}, {'Vendor-Id', 10415}, {'Product-Name', "gateway"},
         {'Auth-Application-Id', [4]}, {'Acct-Application-Id', [3]}, {'Origin-State-Id', 1},
         {decode_format, map}, {strict_mbit, true}, {string_decode, false},
         {application, [{alias, credit}, {dictionary, credit}, {module, gateway}, {answer_errors, callback}]},
         {application, [{alias, accounting}, {dictionary, diameter_gen_acct_rfc6733}, {module, gateway},
                        {answer_errors, callback}]}]),
    true = diameter:subscribe(gateway),
    {ok, _} = diameter:add_transport(gateway,
        {connect, [{transport_module, diameter_tcp}, {watchdog_timer, 6000}, {disconnect_cb, fun(_, _, _) -> {dpr, [{cause, 2}]} end},
                   {transport_config, [{raddr, {127, 0, 0, 1}}, {rport, list_to_integer(Port)}]}]}),
    receive {diameter_event, gateway, Info} when element(1, Info) == up -> ok
    after 60000 -> io:format("no connection~n"), halt(1) end,
    credit(1, 0, #{'Subscription-Id' => [#{'Subscription-Id-Type' => 0, 'Subscription-Id-Data' => "33600000000"}],
                   'Multiple-Services-Indicator' => [1],
                   'Multiple-Services-Credit-Control' => [service([], [?OCTETS(2000)])]}),
    credit(2, 1, #{'Multiple-Services-Credit-Control' => [service([?OCTETS(1500)], [?OCTETS(2000)])]}),
    credit(2, 2, #{'Multiple-Services-Credit-Control' => [service([?OCTETS(4500)], [?OCTETS(2000)])]}),
    credit(3, 3, #{'Multiple-Services-Credit-Control' => [service([?OCTETS(1000)], [])]}),
    event(0, 1, "debit"), event(2, 2, "balance"),
    [account(Type, Number) || {Type, Number} <- [{2, 0}, {3, 1}, {4, 2}]],
    watchdogs(0),
    diameter:stop_service(gateway),
    ok = diameter:stop(),
    io:format("over~n"),
    halt(0).

%% The watchdog is the stack's own business: what shows is that the connection is there after one and a half of its times.
watchdogs(_) ->
    timer:sleep(9000),
    [[{_, _} | _] | _] = diameter:service_info(gateway, connections),
    Counted = lists:append([proplists:get_value(statistics, C, []) || C <- diameter:service_info(gateway, connections)]),
    Sum = fun(Key) -> lists:sum([N || {K, N} <- Counted, K == Key]) end,
    io:format("watchdogs ~w asked, ~w answered~n", [Sum({{0, 280, 1}, send}), Sum({{0, 280, 0}, recv, {'Result-Code', 2001}})]).

service(Used, Requested) ->
    #{'Rating-Group' => [1], 'Used-Service-Unit' => Used, 'Requested-Service-Unit' => Requested}.

credit(Type, Number, More) ->
    say(io_lib:format("credit ~w ~w", [Type, Number]), call(credit, 'CCR', maps:merge(#{
        'Session-Id' => ?SESSION, 'Auth-Application-Id' => 4, 'Service-Context-Id' => "8.32251@3gpp.org",
        'CC-Request-Type' => Type, 'CC-Request-Number' => Number}, More))).

event(Action, Number, Name) ->
    say(Name, call(credit, 'CCR', #{
        'Session-Id' => "erl.epc;2;" ++ integer_to_list(Number), 'Auth-Application-Id' => 4,
        'Service-Context-Id' => "32274@3gpp.org", 'CC-Request-Type' => 4, 'CC-Request-Number' => 0,
        'Requested-Action' => [Action],
        'Subscription-Id' => [#{'Subscription-Id-Type' => 0, 'Subscription-Id-Data' => "33600000000"}],
        'Requested-Service-Unit' => [#{'CC-Service-Specific-Units' => 1}]})).

account(Type, Number) ->
    say(io_lib:format("account ~w ~w", [Type, Number]), call(accounting, 'ACR', #{
        'Session-Id' => "erl.epc;3;1", 'Acct-Application-Id' => [3],
        'Accounting-Record-Type' => Type, 'Accounting-Record-Number' => Number})).

call(Application, Message, Avps) ->
    diameter:call(gateway, Application, [Message | Avps#{
        'Origin-Host' => "erl.epc", 'Origin-Realm' => "epc", 'Destination-Realm' => "test"}], [{timeout, 60000}]).

say(Name, {ok, [_ | Avps], Errors}) ->
    io:format("~ts: ~w~ts, errors ~w~n", [Name, maps:get('Result-Code', Avps, none), services(Avps), Errors]);
say(Name, Other) ->
    io:format("~ts: failed ~w~n", [Name, Other]).

services(Avps) ->
    [io_lib:format(", group ~w: ~w granted ~w final ~w",
                   [maps:get('Rating-Group', S, none), maps:get('Result-Code', S, none),
                    [G || #{'CC-Total-Octets' := [G]} <- maps:get('Granted-Service-Unit', S, [])],
                    length(maps:get('Final-Unit-Indication', S, []))])
     || S <- maps:get('Multiple-Services-Credit-Control', Avps, [])].

%% ---- what the stack asks of an application

peer_up(_, _, State) -> State.
peer_down(_, _, State) -> State.
pick_peer([Peer | _], _, _, _) -> {ok, Peer};
pick_peer([], _, _, _) -> false.
prepare_request(Packet, _, _) -> {send, Packet}.
prepare_retransmit(Packet, _, _) -> {send, Packet}.
handle_answer(#diameter_packet{msg = Msg, errors = Errors}, _, _, _) -> {ok, Msg, Errors}.
handle_error(Reason, _, _, _) -> {error, Reason}.
handle_request(_, _, _) -> discard.

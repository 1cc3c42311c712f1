#!/usr/bin/env escript
%%! +S 1
%% One job of the kernel's benchmark by Erlang's processes, bare: no gen_server, no supervisor but for `restart`.
-mode(compile).

main([Job]) ->
    io:format("~p~n", [job(Job)]).

counter(Total) ->
    receive
        {add, From, Ref, Amount} ->
            From ! {Ref, Total + Amount},
            counter(Total + Amount);
        {note, Amount} ->
            counter(Total + Amount);
        crash ->
            exit(crash);
        stop ->
            ok
    end.

start() ->
    spawn(fun() -> counter(0) end).

ask(Pid, Amount) ->
    Ref = monitor(process, Pid),
    Pid ! {add, self(), Ref, Amount},
    receive
        {Ref, Total} ->
            demonitor(Ref, [flush]),
            Total;
        {'DOWN', Ref, process, Pid, Reason} ->
            exit(Reason)
    end.

microseconds(Count, Do) ->
    Started = erlang:monotonic_time(),
    Do(),
    Elapsed = erlang:monotonic_time() - Started,
    erlang:convert_time_unit(Elapsed, native, nanosecond) / Count / 1000.0.

job("ask 1:1") ->
    Pid = start(),
    microseconds(200000, fun() -> [ask(Pid, 1) || _ <- lists:seq(1, 200000)] end);
job("tell, prebuilt") ->
    Pid = start(),
    Note = {note, 1},
    1000.0 * microseconds(1000000, fun() ->
        [begin
            [Pid ! Note || _ <- lists:seq(1, 200)],
            ask(Pid, 0)
         end || _ <- lists:seq(1, 5000)]
    end);
job("spawn") ->
    microseconds(10000, fun() -> [start() || _ <- lists:seq(1, 10000)] end);
job("stop") ->
    Pids = [start() || _ <- lists:seq(1, 10000)],
    microseconds(10000, fun() ->
        [begin
            Ref = monitor(process, Pid),
            Pid ! stop,
            receive {'DOWN', Ref, process, Pid, _} -> ok end
         end || Pid <- lists:reverse(Pids)]
    end);
job("restart") ->
    Self = self(),
    Supervisor = spawn(fun() -> process_flag(trap_exit, true), supervise(Self) end),
    First = receive {up, Started} -> Started end,
    Cost = microseconds(20000, fun() ->
        lists:foldl(fun(_, Current) ->
            Current ! crash,
            receive {up, Next} -> 1 = ask(Next, 1), Next end
        end, First, lists:seq(1, 20000))
    end),
    exit(Supervisor, kill),
    Cost.

supervise(Owner) ->
    Pid = spawn_link(fun() -> counter(0) end),
    Owner ! {up, Pid},
    receive {'EXIT', Pid, _} -> supervise(Owner) end.

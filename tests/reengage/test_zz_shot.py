import subprocess, threading, socket, time
import uvicorn, sqlalchemy as sa
from datetime import UTC, datetime
from reengage.marketer.page import create_page
from test_marketer import execute

def test_shot(warehouse):
    execute(warehouse,
    "INSERT INTO core.contact (contact_id, phone_hash, first_source, first_source_contact_id, first_seen_on) SELECT n, 'key-'||n, 'crm', n::text, '2026-01-01' FROM generate_series(1,40) n",
    "INSERT INTO outbox.message (contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, encoding, segments, not_before, not_after, status, status_at, accepted_at) SELECT n, gen_random_uuid(), '2026-01-01','survey','sms','2026-03-07','key-'||n,'GSM-7',1,'2026-03-08 14:00Z','2026-03-10Z','delivered','2026-03-08 15:00Z','2026-03-08 14:05Z' FROM generate_series(1,30) n",
    "INSERT INTO outbox.reply (provider, provider_reply_id, phone_hash, text, meaning, received_at) SELECT 'twilio', 'a'||n, 'key-'||(n%40), (ARRAY['who is this?','non scrivetemi più, grazie','Thanks! When do you open on Sunday? I would like to come by with my sister and we have two dogs, is that fine with you? Also parking, last time there was none and I had to walk for twenty minutes','','문자 보내지 마세요'])[1+n%5], 'unclear', timestamptz '2026-03-10 10:00Z' + n * interval '1 minute' FROM generate_series(1,60) n",
    "INSERT INTO outbox.reply (provider, provider_reply_id, phone_hash, text, meaning, received_at, counted_at) VALUES ('twilio','c1','key-39x','lose my number','stop','2026-03-01 10:00Z','2026-03-08 10:00Z')",
    "INSERT INTO outbox.webhook (provider,digest,url,body,received_at,error) VALUES ('infobip','d','poll','x','2026-03-09 10:00Z','1 unread')")
    app = create_page(lambda: warehouse)
    s = socket.socket(); s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    t = threading.Thread(target=server.run, kwargs={"sockets": [s]}); t.start()
    while not server.started: time.sleep(.05)
    for name, size in (("wide","1200,1400"),("phone","420,1200")):
        subprocess.run(["chromium","--headless","--no-sandbox","--disable-gpu",f"--window-size={size}",f"--screenshot=/tmp/rep/{name}.png",f"http://127.0.0.1:{port}/replies"],timeout=90, capture_output=True)
    server.should_exit=True; t.join()

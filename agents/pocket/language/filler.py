"""Words and phrases that people put around a subject and that say nothing which is drawn. Pure module.

They are praise, requests, politeness, purposes and the jargon of picture quality. Whatever a viewer could miss in the
picture, such as a material or a place, is not one of them.
"""

from __future__ import annotations

from agents.pocket.vocabulary import HARMLESS

_DEPICTED = {"on a wooden table", "morning", "isolated", "macro", "magazine cover", "lifestyle"}
"""Harmless to the model while it draws, yet something that a viewer looks for."""


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split(",") if phrase.strip())


REQUESTS = _phrases(
    """
    please, please make, kindly, thanks, thank you, thanks a lot, many thanks, thank you very much, thx, pls, cheers,
    hi, hello, hey, hi there, hello there, good morning, dear, ok, okay, yes, well, so, just, simply, only, now, then,
    again, also, too, maybe, perhaps, ideally, preferably, if possible, if you can, if you would, if you please,
    if you like, for me, for us, for you, of mine, of ours, i, we, me, us, my, our, your, you, i'd, i'm, we'd, we're,
    it's, here's, that's, let's, i'll, we'll, you're, could, can, would, will, should, may, might, must, shall,
    i want, i'd like, i would like, i would love, i'd love, i need, i wish, i wish for, i am looking for,
    i'm looking for, looking for, we need, we want, we'd like, we would like, we would love, we'd love,
    we are looking for, we're looking for, can you, could you, would you, will you, can i have, can i get,
    can we have,
    can we get, could i have, could i get, could we have, could we get, may i have, i'm after, we're after,
    would you mind, would like, would love, want, wants, need, needs, like to see, love to see, like to have, to have,
    to see, to get, make, make me, make us, makes, making, create, create me, create for me, creating, generate,
    generate me, generate for me, generating, draw, draw me, draw us, draw for me, drawing of, drawing, paint,
    paint me,
    painting of, render, render me, design, design me, design of, produce, give, give me, give us, show, show me,
    show us, showing, shows, depicting, depict, depicts, depiction, depiction of, illustrate, imagine, picture me,
    get me, do, do me, do a, put, place, have, has, get, there is, there are, there's, here is, here are, this is,
    it is, let us have, let me have, let me see, let us see, i'd love to see, something like, try, try to draw,
    sketch of, help me, help us, prepare, send me, provide, deliver, compose, set up, bring me, need you to,
    want you to, like you to, to make, to create, to generate, to draw, to paint, to render, to show, to design,
    to do,
    to give, feature, features, featuring, display, displays, displaying, represent, representing, containing,
    consisting of, about, namely, as follows, brief, prompt, order, request, task, subject, title, theme, output,
    result, one more, another, my favourite, my favorite, our favourite, a kind of, some kind of, kind of, sort of,
    a sort of, type of, a nice shot of, a shot of, asap, urgent, quickly, as soon as possible, when you can,
    when you have a moment, whenever you can, today, tomorrow, by friday, for tomorrow, for today, no rush
    """
)

MEDIA = _phrases(
    """
    picture, a picture of, picture of, pictures of, image, an image of, image of, images of, photo, a photo of,
    photo of, pic, a pic of, pic of, snapshot, a snapshot of, snap, shot, shot of, view, view of, a view of, scene,
    scene of, a scene with, depiction, portrait, a portrait of, portrait of, rendering, a rendering of, rendering of,
    a render of, render of, visual, a visual of, visual of, visualisation of, visualization of, artwork, artwork of,
    piece of art, piece, art, art piece, an illustration of, illustration of, illustration, a drawing of,
    a painting of,
    painting, a sketch of, sketch, graphic, a graphic of, graphic of, composition, a composition of, composition with,
    composition of, frame, canvas, asset, icon of, an icon of, stock photo, a stock photo of, stock image,
    a stock image of, close-up, closeup, close up, a close-up of, close-up of, a closeup of, close up of,
    a close up of,
    the figure of, a figure of, an example of, example of, single subject, one subject, single object, one object,
    main subject, main object, object, item, thing, an object, photography, photo of one, photoshoot, product shot,
    product shot of, a product shot of, product image, product image of, product picture, catalogue shot,
    catalog shot,
    catalogue photo, catalog photo, catalogue image, catalog image, shop photo, hero image, hero image of,
    a hero image of, hero picture, banner, a banner with, thumbnail, a thumbnail of, wallpaper, header, header image,
    cover image, cover picture, square format, square picture, square image, landscape format,
    portrait format, web image, web picture, of course
    """
)

PRAISE = _phrases(
    """
    lovely, same, beautiful, nice, pretty, gorgeous, wonderful, great, good, fine, excellent, superb, amazing, awesome,
    fantastic, fabulous, terrific, brilliant, magnificent, splendid, marvellous, marvelous, stunning, striking,
    attractive, appealing, charming, delightful, adorable, cute, sweet, perfect, ideal, outstanding, exceptional,
    impressive, remarkable, incredible, extraordinary, exquisite, tasteful, tasty, stylish, elegant, classy, chic,
    fancy, neat, tidy, clean, crisp, sharp, clear, bold, simple, plain, minimal, minimalist, minimalistic, minimalism,
    modern, contemporary, timeless, classic, iconic, typical, ordinary, normal, regular, usual, common, everyday,
    basic, standard, generic, traditional, conventional, honest, proper, decent, solid, pleasant, pleasing, friendly,
    cosy, cozy, warm, calm, quiet, peaceful, serene, tranquil, gentle, soft, subtle, delicate, graceful, refined,
    polished, sleek, sophisticated, luxurious, premium, professional, pro, high-end, top-notch, first-class, quality,
    inspiring, inspired, creative, artistic, artful, imaginative, original, interesting, intriguing, captivating,
    eye-catching, memorable, special, unique, favourite, favorite, fresh, new, brand new, brand-new, real, realistic,
    lifelike, true-to-life, believable, convincing, authentic, natural, genuine, accurate, precise, detailed,
    well-made, well made, well-lit, well lit, well-composed, well composed, well-designed, well-drawn, balanced,
    harmonious, uncluttered, tidy composition, playful, fun, quirky,
    whimsical, dreamy, magical, enchanting, radiant, glorious, vivid, vibrant, rich, brilliant quality, cool, epic,
    dramatic, expressive, atmospheric, aesthetic, aesthetically pleasing, handsome, fine-looking,
    good-looking, nice-looking, good looking, nice looking, really, very, quite, rather, so very, truly, super, pretty
    much, absolutely, extremely, incredibly, wonderfully, beautifully, nicely, perfectly, simply put, carefully,
    neatly, cleanly, softly, evenly, clearly, well, somewhat, most, more, extra, ultra, highly, insanely,
    hyper realistic, hyperrealistic, hyper-realistic, ultra-realistic, ultra-detailed, ultra detailed, super detailed,
    highly realistic, intricate, intricate details, divine, heavenly, sublime, ravishing, breathtaking, dazzling,
    picturesque,
    photogenic, dainty, darling, swell, fetching, fascinating, compelling, engaging, inviting, welcoming, flawless,
    immaculate, pristine, respectable, satisfying, likeable, likable, lovable, loveable, endearing, admirable, deluxe,
    grand, majestic, wondrous, phenomenal, sensational, spectacular, tremendous, unforgettable, impeccable, glamorous,
    lovingly made, cheerful, finely detailed, high detail, fine detail, fine details,
    lots of detail, lots of details, lots of love, full of charm, with love, with care, with great care,
    with attention to detail, in all its glory, at its best, state of the art, state-of-the-art
    """
)

QUALITY = _phrases(
    """
    2k, 4k, 8k, 16k, hd, full hd, uhd, ultra hd, high definition, high-definition, high res, high-res, hi-res, hires,
    high resolution, high-resolution, in high resolution, high quality, high-quality, in high quality, top quality,
    best quality, good quality, great quality, finest quality, premium quality, of high quality, studio quality,
    masterpiece, award winning, award-winning, prize-winning, trending, trending on artstation, artstation,
    unreal engine, octane render, octane, vray, raytracing, ray tracing, dslr, canon, nikon, sony, leica, hasselblad,
    35mm, 50mm, 85mm, 100mm, 35mm lens, 50mm lens, 85mm lens, 100mm lens, lens, prime lens, f/1.4, f/1.8, f/2, f/2.8,
    f/4, f/5.6, f/8, f/11, iso 100, iso 200, bokeh, shallow depth of field, depth of field, deep focus, in focus,
    sharp focus, in sharp focus, crisp focus, tack sharp, perfect focus, hdr, raw photo, raw, uncompressed,
    good light, good lighting, nice light, nice lighting, great lighting, soft light, soft lighting, soft shadows,
    soft shadow, gentle shadow, gentle shadows, subtle shadow, subtle shadows, diffuse light, diffuse lighting,
    diffused light, diffused lighting, natural light, natural lighting, even light, even lighting, bright light,
    bright lighting, ambient light, ambient lighting, rim light, rim lighting, key light, softbox, softbox lighting,
    warm light, warm lighting, clean light, clean lighting, perfect lighting, perfect light, beautiful light,
    beautiful lighting, lovely light, lovely lighting, dramatic light, dramatic lighting, cinematic, cinematic light,
    cinematic lighting, cinematic look, cinematic shot, lighting, light and airy, nicely lit, evenly lit, softly lit,
    subtle reflections, detailed texture, good contrast, high contrast, nice contrast, strong contrast, contrast,
    good colours, good colors, vivid colours, vivid colors, vibrant colours, vibrant colors, bright colours,
    bright colors, rich colours, rich colors, bold colours, bold colors, clean colours, clean colors, true colours,
    true colors, accurate colours, accurate colors, clean lines, clean line, clean edges, crisp edges, crisp lines,
    sharp edges, smooth edges, sharp lines, clean shapes, simple shapes, bold shapes, clean composition,
    centered composition, centred composition, balanced composition, simple composition, nice composition,
    minimal composition, good composition, rule of thirds, full view, full shot, whole object, fully visible,
    fully in frame, in full, in frame, in the frame, in the picture, in the image, in view, in shot, in the shot,
    of the picture, of the image, of the frame, of the canvas, of the photo, of the shot, of the scene,
    of the composition, of the page, of frame, of view, front view, front-facing, from the front, seen from the front,
    straight on, straight-on, eye level, at eye level, no text, no words, no letters, no watermark, no watermarks,
    without text, without watermark, without watermarks, without any text, no logo, no logos, without logo,
    no people, no clutter, no distractions, without clutter, without distractions, no extra objects, no other objects,
    no props, without props, nothing else, and nothing else, negative space, lots of negative space, plenty of space,
    lots of space, plenty of room, space around it, white space, copy space, some space, breathing room, seamless,
    seamless backdrop, modern look, clean look, nice look, simple look, clean style, simple style, modern style,
    minimal style, minimalist style, clean design, simple design, modern design, minimal design, minimalist design,
    nice design, warm mood, calm mood, happy mood, cheerful mood, friendly mood, good mood, mood, warm feeling,
    calm feeling, friendly feel, clean feel, warm feel, nice feel, warm atmosphere, calm atmosphere, nice atmosphere,
    lovely atmosphere, look, feel, vibe, vibes, good vibes, nice vibe, warm tones, warm tone, tone, tones, palette,
    colour, color, coloured, colored, in colour, in color, side by side, next to each other, beside each other,
    in a row, together, all alone, alone, by itself, on its own, all by itself, standing alone, shown, seen, pictured,
    depicted, displayed, visible, presented, placed, positioned, set, rendered, drawn, painted, photographed, made as,
    done, done as, done in, executed in, in the style of, in style of, in the manner of, style, styled, -style,
    look of,
    photorealism, commercial, advertising, editorial, catalogue picture, catalog picture, e-commerce, ecommerce,
    packshot, hero shot, magazine cover quality, concept art, texture, quality photo, quality picture, quality image,
    glossy, matte, print quality, print ready, print-ready, ready for print, ready to print, web ready, web-ready
    """
)

PURPOSES = _phrases(
    """
    website, web site, webpage, web page, site, homepage, home page, landing page, blog, blog post, shop, online shop,
    web shop, webshop, store, online store, catalogue, catalog, brochure, leaflet, flyer, newsletter, magazine,
    magazine cover, article, presentation, slide, slides, slide deck, deck, talk, lecture, class, lesson, course,
    school, school project, project, portfolio, campaign, ad, ads, advert, advertisement, advertising campaign,
    marketing, social media, social media post, post, instagram, instagram post, facebook, twitter, feed, channel,
    app, mobile app, game, book, book cover, children's book, kids book, cover, card, greeting card, birthday card,
    postcard, invitation, sticker, stickers, print, poster series, banner, profile, profile picture, avatar, logo,
    brand, company, client, customer, customers, team, boss, friend, friends, family, mother, mom, mum, father, dad,
    daughter, son, kids, children, sister, brother, wife, husband, grandmother, grandma, birthday, party, launch,
    product page, product launch, page, menu, packaging, label, spring catalogue, summer campaign, test, tests,
    demo, mockup, mock-up, draft, first draft, report, document, documentation, wiki, wall, desktop, screen, office,
    team page, front page, listing, product listing, shop listing, header, footer, collection, series, gallery,
    exhibition, show, use, testing, trying out, trial, fun, pleasure, purposes, needs, banner, agency,
    colleague, colleagues, neighbour, neighbor, teacher, students, student, pupils, audience, readers, users,
    visitors,
    restaurant, cafe, museum, firm, startup, start-up, business, event, meeting, conference, webinar, seminar,
    wedding,
    anniversary, christmas, easter, valentine's day, mother's day, father's day, holiday, holidays, thesis, paper,
    essay, homework, tutorial, video, podcast, youtube, youtube channel, intro, t-shirt, tshirt, shirt, bag, phone,
    laptop, tablet, kitchen, room, bedroom, nursery, living room, kid, child, baby, boyfriend, girlfriend, partner,
    nephew, niece, uncle, aunt, cousin, grandfather, grandpa, grandson, granddaughter, gift, calendar, diary, journal,
    folder, icon, app store, sign, poster, mug print, puzzle, quiz, worksheet, lesson plan, exam, booklet, guide,
    manual, ebook, e-book, email, mail, signature, chat, forum, community, club, band, album, playlist, trailer,
    taste, liking, own use, personal use, commercial use, work, job, sake
    """
)
"""What a picture may be for, after `for my`, `for our`, `for the`, `for a`."""

CHAT = _phrases(
    """
    hope, hoping, hoped, think, thinking, thought, guess, know, believe, say, saying, tell, telling, ask, asks, asked,
    asking, ordering, ordered, orders, requests, requested, requesting, possible, possibly, grateful, appreciate,
    appreciated, much appreciated, glad, delighted, pleased, regards, best regards, kind regards, sincerely, yours,
    bye, goodbye, see you, wonder, wondering, suppose, sure, alright, all right, hm, hmm, hmmm, mmm, um, uh, umm, oh,
    ah, er, aha, wow, yeah, yep, yay, right now, honestly, basically, actually, frankly, obviously, literally,
    definitely, certainly, surely, probably, hopefully, finally, firstly, important, needed, required, wanted,
    desired, expected, trouble, hurry, no hurry, no problem, no worries, don't worry, why not, not too much trouble,
    if it's not too much trouble, if that's ok, if that's okay, if that is ok, if that works, whatever you think,
    you know, moment, minute, second, time, week, month, monday, tuesday, wednesday, thursday, friday, saturday,
    sunday,
    soon, immediately, quick, easy, easily, favour, favor, chance, everyone, everybody, folks, guys, sir, madam,
    workshop, bottega, assistant, ai, computer, machine, artist, painter, painters, designer, illustrator,
    photographer, best, finest, nicest, loveliest, prettiest, greatest, coolest, cutest, cleanest, simplest, better,
    nicer, prettier, simpler, cleaner, in advance, how about, what about, why don't you, why not try, go ahead,
    go ahead and, do your best, your best, your best work, surprise me, surprise me with, should show, must show,
    should be, must be, has to be, have to be, ought to be, make it, keep it, let it be, have it, like it, love it,
    it should be, it must be, it should show, it should have, should have, must have, needs to be, need to be,
    to use, use, using, to be used, used, to put, to hang, to hang up, to go with, as a gift, a gift, gift, present,
    as a present, as a logo, as an icon, as a test, as my avatar, as a wallpaper, as wallpaper, as a sticker,
    as a cover, as a placeholder, placeholder, as a sample, sample, as an example, icon, symbol, as a symbol,
    emblem, motif, a motif, figure, silhouette of, version, a version of, version of, variant, variation, take,
    a take on, take on, idea, concept, choice, option, wonderful day, nice day, have a nice day, love, wish, wishes,
    dream, dreaming, dreaming of, always wanted, forever, ever, even, still, already, yet, anyway, anyhow, else,
    otherwise, either way, by the way, in particular, especially, above all, first of all, in short, in other words,
    in general, overall, thing of beauty, please and thank you, from you, from me, from us, as you like, as you wish,
    as you please, as nice as possible, as beautiful as possible, as simple as possible, as good as possible,
    as clean as possible, as well as you can, as good as you can, as nice as you can, the best you can, you can,
    i can, we can, that i can use, we can use, i can use, what i want, what we want, what we need, what i need,
    all i want is, all i need is, all we need is, all i want, all i need, all we need, nothing fancy,
    nothing special, nothing more, nothing too fancy, no frills, no fuss, no nonsense, that's all, that is all,
    that's it, that is it, not too fancy, would be great, would be nice, would be lovely, that would be great,
    that would be nice, that would be lovely, that'd be great, would be perfect, would be wonderful, would be awesome
    """
)

SENTENCES = _phrases(
    """
    test picture, test image, test photo, test shot, test render, a test, a test of, sample picture, sample image,
    example picture, example image, demo picture, demo image, preview, stands, standing, sits, sitting, lies, lying,
    rests, resting, appears, appearing, located, situated, is shown, is seen, can be seen, is visible, is placed,
    should contain, should have, must have, contains, contain, has to show, should appear, should be shown, exists,
    painted in, drawn in, coloured in, colored in, made in, kept in, in the colour, in the color, of colour, of color,
    the colour of, the color of, colour of, color of, size, of size, position, style is, number, count, quantity, shade,
    shade of, a shade of, in a shade of, kind, type, sort, pure, entirely, fully, completely, all of them, all of it,
    all in, happy about, be happy about, be happy with, glad about, asked for, asks for, asking for, hoping for,
    pictures, images, photos, versions, variants, variations, versions of, variants of, there,
    a look at, have a look at, look at, wide shot, medium shot, long shot, full body shot
    """
)

_PLACES = ("website", "web page", "page", "homepage", "blog", "shop", "app", "flyer", "newsletter", "presentation",
           "slide", "catalogue", "catalog", "brochure", "menu", "profile", "channel", "feed", "instagram")  # fmt: skip
_USES = frozenset(
    f"{where} {whose}{noun}"
    for where in ("on", "in")
    for whose in ("", "my ", "our ", "a ", "the ")
    for noun in _PLACES
)
"""Where a picture may be used."""

_WRITING = ("text", "words", "letters", "lettering", "writing", "watermark", "watermarks", "logo", "logos",
            "caption", "captions", "signature")  # fmt: skip
_NO_WRITING = frozenset(
    f"{without} {one} {either} {other}"
    for without in ("no", "with no", "without", "without any", "without a")
    for one in _WRITING
    for either in ("or", "and", "/", "nor")
    for other in _WRITING
)
"""What nobody wants in a picture, two at a time."""

FILLER: frozenset[str] = frozenset(
    {
        *_USES,
        *_NO_WRITING,
        *SENTENCES,
        *REQUESTS,
        *CHAT,
        *MEDIA,
        *PRAISE,
        *QUALITY,
        *(phrase for phrase in HARMLESS if phrase not in _DEPICTED),
    }
)
